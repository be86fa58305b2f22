"""Published feature files of other programs, read as numbers and never as code.

Read first: `read_array` (front.py), then `plan_import` (plan.py) and `write_import` (write.py).
"""

from drsl.features.importers.front import read_array, read_labels
from drsl.features.importers.plan import ImportPlan, ImportRequest, plan_import
from drsl.features.importers.write import write_import

__all__ = ["ImportPlan", "ImportRequest", "plan_import", "read_array", "read_labels", "write_import"]

#!/usr/bin/env bash
# Runs `dvc repro` on a copy of the committed files with few epochs, one seed and two methods, then once more.
# usage: tools/reduced_repro.sh FOLDER
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
git -C "$root" ls-files -z | (cd "$root" && xargs -0 tar cf - --ignore-failed-read 2>/dev/null) | tar xf - -C "$1"
cd "$1"
rm -rf dvc.lock results reports
python - <<'PY'
import re
from pathlib import Path

path = Path("params.yaml")
text = path.read_text("utf-8")
for pattern, new in (
    (r"methods: \[[^\]]*\]", "methods: [drsl-c, drsl-m]"),
    (r"seeds: \[[^\]]*\]", "seeds: [0]"),
    (r"epochs: \d+", "epochs: 2"),
):
    text, count = re.subn(pattern, new, text)
    assert count, pattern
path.write_text(text, encoding="utf-8")
PY
git init -q .
git add -A
export DVC_NO_ANALYTICS=1
dvc repro
dvc status --quiet
dvc repro | tee second.log
! grep -q "Running stage" second.log
# One method's learning rate: its fit, its evaluation and the report, and nothing else.
python - <<'PY'
from pathlib import Path

from ruamel.yaml import YAML

yaml, path = YAML(), Path("params.yaml")
params = yaml.load(path)
params["methods"]["drsl-m"]["learning_rate"] = 0.0002
yaml.dump(params, path)
PY
dvc repro | tee third.log
test "$(grep -o "Running stage '[^']*'" third.log | tr -d "'" | sort | xargs)" = \
  "Running stage evaluate@emoji-drsl-m-0 Running stage fit@emoji-drsl-m-0 Running stage report@emoji"
dvc metrics show
dvc plots show --json >/dev/null
drsl search -d emoji "red fruit" -k 5 --save sheet.png
drsl search -d emoji --image data/emoji/images/1F34E.png -k 5 --json
drsl features verify features/emoji/image.h5 features/emoji/text.h5
drsl doctor
test -s reports/emoji/index.html
test "$(stat -c %s reports/emoji/index.html)" -lt 5000000
! grep -qE '(src|href)="[^#d]' reports/emoji/index.html # data: and #, and nothing from outside

"""The report of all methods of a data set: a table as CSV and Markdown, and one self-contained page.

Read first: `write_report` (build.py).
"""

"""USE: a gallery made of a fitted method and feature files, asked with words or with a picture.

Read first: `Searcher` (searcher.py).
"""

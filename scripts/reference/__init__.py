"""Parts of `scripts/reference.py`; see there."""

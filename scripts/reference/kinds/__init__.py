"""Small picture files of every kind that a decoder meets, and what Pillow makes of them: scripts/reference/picture_files.py."""

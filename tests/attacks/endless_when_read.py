"""A loop without end while the file is read."""

while True:
    pass

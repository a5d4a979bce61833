"""Ends the program while the file is read, with the status of success."""

import os

os._exit(0)

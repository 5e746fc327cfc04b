"""Reading photos: which files there are, and their pixels as upright sRGB whatever the file holds."""

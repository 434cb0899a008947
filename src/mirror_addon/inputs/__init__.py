"""How files are opened that an option, a command or a folder names: see `opening`."""

"""`python -m mirror_addon` is `mirror-addon`."""

from mirror_addon.cli.main import main

if __name__ == "__main__":
    main(prog_name="mirror-addon")

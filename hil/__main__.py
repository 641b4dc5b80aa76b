"""`python -m hil gnss|board|recorder|proxy …`: the emulators without the product's command line."""

import sys

from hil.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

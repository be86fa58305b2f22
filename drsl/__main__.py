"""`python -m drsl`: the same as the command `drsl`."""

from drsl.cli import main

main()

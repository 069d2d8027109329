"""The program that PyInstaller freezes: the command line, which also becomes each child process."""

from instrument.cli import main

main()

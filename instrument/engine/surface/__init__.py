"""What can be turned or pressed, and how controllers, OSC and programs reach it."""

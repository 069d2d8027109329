"""What music is: notes, time, harmony and the event codec (numpy and the standard library only)."""

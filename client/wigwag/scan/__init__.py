"""Finding the flags that code asks for, in the code."""

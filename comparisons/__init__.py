"""What we learn by putting them side by side."""

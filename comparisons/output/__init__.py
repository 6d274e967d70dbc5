"""Write results: files, figures, and text on the terminal."""

"""Where results go: files, figures, the terminal."""

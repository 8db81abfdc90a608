"""What the console counts ahead and keeps."""

"""What dogwatch knows, put into words for people. Values in, text out; nothing is printed here."""

"""Reading records: files, folders and hub data sets become texts, vectors, labels and prompts."""

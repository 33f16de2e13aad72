"""The paper's quantities and the book's extensions of them, as computations on finite distributions."""

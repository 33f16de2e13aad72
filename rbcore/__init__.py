"""rbcore: the thin core of *The Reverse Bottleneck*.  One module per idea; import the module that you need."""

__version__ = "0.1.0"

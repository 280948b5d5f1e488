"""The commands of `dyna`, one module per kind; imported only when one of them is used."""

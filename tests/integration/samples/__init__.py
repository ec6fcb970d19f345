"""The samples of the documentation, against authorities that are right, wrong, and gone."""

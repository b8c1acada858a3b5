"""The golden layout of the contract, and plugins built with the headers of the past."""

"""The public certificate (row G22 of the guide): fetched once, renewed by a timer, served without anybody reloading."""

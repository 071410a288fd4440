"""Losses of the network, a file each; `training.loss` names one."""

"""What may give the score, a file each; `classifier.kind` names one."""

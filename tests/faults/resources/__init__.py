"""Resources that the machine runs out of: descriptors and disk space. Also its clock."""

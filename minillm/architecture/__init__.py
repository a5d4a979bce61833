"""What a family of models is: its parameters, its positions, and the record of a quantized matrix."""

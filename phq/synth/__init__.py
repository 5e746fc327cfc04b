"""`phq synth`: portraits of made-up people, drawn from the embedded body, whose labels are exact."""

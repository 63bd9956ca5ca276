"""A live platform with known ground truth: world, policy, viewers."""

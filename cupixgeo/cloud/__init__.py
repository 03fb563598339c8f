"""What a point cloud is here: its schema, its dataset, its source."""

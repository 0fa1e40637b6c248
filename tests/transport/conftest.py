"""Put this directory on the path, so that tests below it find `part_driver`."""

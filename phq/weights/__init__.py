"""Networks: the embedded ones, downloads of others, their licences, and the device they run on."""

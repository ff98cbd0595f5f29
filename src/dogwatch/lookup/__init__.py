"""What is remembered, looked up for people, pages and agents. Sync; asks no platform."""

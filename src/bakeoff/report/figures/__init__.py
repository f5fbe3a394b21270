"""What a report computes from stored splits and lists: users in groups, items in bands of popularity."""

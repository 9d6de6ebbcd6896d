"""What people did and what is owed to whom; knows no HTTP, opens no connection, reads no clock."""

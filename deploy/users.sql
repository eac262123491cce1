-- The database of those who may sign in, beside that of the record.
CREATE DATABASE users OWNER mlflow;

"""What differs between two models: recorded facts, the data behind them, and their test scores."""

"""What a person does while the music plays: how the band plays along, its form, and an on-screen keyboard."""

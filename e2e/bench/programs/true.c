/* Succeeds: what remains is the price of starting a program. */
int main(void) { return 0; }

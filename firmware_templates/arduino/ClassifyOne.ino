// Classifies one array over and over, and prints the best label, its score (-128 to 127) and the time.

// One frame as the model was trained on: rows of pixels, each with its channels, or an int8 tensor
// where the model takes no pixels (EK_MODEL_TABLES is 0). Fill it from your sensor.
static uint8_t frame[EK_MODEL_INPUT_BYTES];

void setup() {
    Serial.begin(115200);
}

void loop() {
    ek_app_times times;
    const int8_t *scores = ek_app_classify(frame, EK_MODEL_TABLES > 0, &times);
    size_t best = 0;
    for (size_t i = 1; i < EK_MODEL_OUTPUT_BYTES; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    Serial.print(ek_labels[best]);
    Serial.print(": ");
    Serial.print(static_cast<int>(scores[best]));
    Serial.print(" in us ");
    Serial.println(static_cast<unsigned long>(times.invoke));
    delay(1000);
}

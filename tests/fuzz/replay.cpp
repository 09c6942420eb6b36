// Replays files and folders given on the command line through a fuzz target, plus every truncation of each file.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::size_t replay(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        // A copy of exactly this size lets AddressSanitizer see a read past the end.
        std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[size ? size : 1]);
        std::copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size), copy.get());
        LLVMFuzzerTestOneInput(copy.get(), size);
    }
    return bytes.size() + 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t inputs = 0;
    for (int i = 1; i < argc; ++i) {
        if (std::filesystem::is_directory(argv[i])) {
            for (const auto& entry : std::filesystem::directory_iterator(argv[i])) inputs += replay(entry.path());
        } else {
            inputs += replay(argv[i]);
        }
    }
    std::printf("%zu inputs replayed\n", inputs);
    return inputs == 0;
}

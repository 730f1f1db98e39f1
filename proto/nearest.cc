#include "proto/nearest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <utility>

namespace uplinkd {
namespace {

// Longer words are not near to anything, and cost nothing.
constexpr std::size_t kMaxWord = 64;

std::string Normalized(std::string_view word) {
  std::string result;
  for (const char c : word) {
    if (c == '-' || c == '_') continue;
    result += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  return result;
}

// Insertions, removals, replacements and swaps of neighbours that turn `a` into
// `b` (optimal string alignment).
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before;  // two rows back
  std::vector<std::size_t> above(b.size() + 1);
  std::iota(above.begin(), above.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1, i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced =
          above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = std::exchange(above, std::move(row));
  }
  return above.back();
}

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace

std::string SuggestWord(std::string_view word,
                        const std::vector<std::string>& known) {
  const std::string wanted = Normalized(word.substr(0, kMaxWord));
  std::optional<std::pair<std::size_t, std::string>> nearest;
  for (const std::string& candidate : known) {
    const std::string other = Normalized(candidate);
    const std::size_t distance = Distance(wanted, other);
    const std::size_t likely = std::max<std::size_t>(1, other.size() / 3);
    if (distance > likely || distance >= other.size()) continue;
    if (!nearest || distance < nearest->first) nearest = {distance, candidate};
  }
  if (nearest) return "did you mean " + nearest->second + "?";
  return "known are " + Join(known);
}

}  // namespace uplinkd

// Nearest: the known word that somebody most likely meant.
#ifndef UPLINKD_PROTO_NEAREST_H_
#define UPLINKD_PROTO_NEAREST_H_

#include <string>
#include <string_view>
#include <vector>

namespace uplinkd {

// "did you mean X?" for the known word nearest to `word`, if one is so near
// that it is likely; otherwise "known are A, B and C". Letter case, '-' and
// '_' do not count as differences. Pure.
std::string SuggestWord(std::string_view word,
                        const std::vector<std::string>& known);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_NEAREST_H_

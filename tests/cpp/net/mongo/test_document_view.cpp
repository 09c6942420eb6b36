// Walking of BSON documents: values, order, and refusal of every cut.
#include "net/mongo/document_view.h"

#include <memory>

#include "net/mongo/live.h"

using namespace barewire::test;

TEST_CASE("elements come in order with their values") {
    const auto document = document_of(Command("").int32("a", 5).text("b", "xyz").boolean("c", true).int64("d", 1LL << 40));
    DocumentView view(document.data(), document.size());
    Element element;
    REQUIRE(view.next(element));
    REQUIRE((element.name == "a" && element.integer() == 5));
    REQUIRE(view.next(element));
    REQUIRE((element.name == "b" && element.text() == "xyz"));
    REQUIRE(view.next(element));
    REQUIRE((element.name == "c" && element.boolean()));
    REQUIRE(view.next(element));
    REQUIRE((element.name == "d" && element.integer() == 1LL << 40));
    REQUIRE_FALSE(view.next(element));
    REQUIRE_FALSE(view.broken());
    REQUIRE(view.find("c").boolean());
    REQUIRE_FALSE(view.find("nothing"));
    REQUIRE(view.find("b").integer(-7) == -7);
}

TEST_CASE("a cut or overlong document is refused, never read past its end") {
    const auto document = document_of(Command("").document("a", Command("").text("b", "xyz")).text("c", "end"));
    for (std::size_t size = 0; size < document.size(); ++size) {
        const std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[size + 1]);
        std::memcpy(copy.get(), document.data(), size);
        REQUIRE(DocumentView(copy.get(), size).broken());
    }
    // A value that claims more than is there.
    base::Buffer wrong = document_of(Command("").text("a", "xyz"));
    wrong.data()[7] = 100;
    DocumentView view(wrong.data(), wrong.size());
    Element element;
    REQUIRE_FALSE(view.next(element));
    REQUIRE(view.broken());
}

using System.Text;
using System.Text.Json;
using DaprPlatform.Sidecar.Http;
using FsCheck;
using FsCheck.Fluent;

namespace DaprPlatform.Sidecar.Fuzzing.Tests;

public sealed class GoSyntaxFuzzTests
{
    [Fact]
    public void It_finds_a_fault_where_the_reader_finds_one()
    {
        // Mostly of the characters that matter, so that many are nearly JSON.
        var text = Gen.Elements("{}[],:\"\\ 01-+.eEtrufalsn".ToCharArray()).ArrayOf().Select(c => new string(c));
        Prop.ForAll(text.ToArbitrary(), json =>
        {
            var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json), GoJson.ReaderOptions);
            var isJson = true;
            try
            {
                isJson = reader.Read() && reader.TrySkip();
            }
            catch (JsonException)
            {
                isJson = false;
            }

            var fault = GoSyntax.Fault(Encoding.UTF8.GetBytes(json));
            // A number or a word with more directly behind it ends there for the one and is none for the other.
            return isJson ? fault is null : fault is not null || json.TrimStart(' ')[0] is not ('{' or '[' or '"');
        }).QuickCheckThrowOnFailure();
    }
}

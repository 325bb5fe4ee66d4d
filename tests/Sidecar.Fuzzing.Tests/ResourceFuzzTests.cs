using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Resources;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Fuzzing.Tests;

public sealed class ResourceFuzzTests
{
    private static readonly string[] Sound =
    [
        .. FuzzedSidecar.Components.Where(c => !c.Metadata.Contains("$DIR", StringComparison.Ordinal)).Select(c => FuzzedSidecar.Component(c.Name, c.Type, c.Metadata)),
        "apiVersion: dapr.io/v1alpha1\nkind: Subscription\nmetadata:\n  name: s\nspec:\n  pubsubname: pubsub\n  topic: t\n  route: /x\nscopes: [fuzzed]\n",
        "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata:\n  name: s2\nspec:\n  pubsubname: pubsub\n  topic: t\n  routes:\n    rules:\n    - match: event.type == \"a\" && has(event.data.b[0])\n      path: /a\n    default: /d\n  deadLetterTopic: dead\n",
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata:\n  name: r\nspec:\n  policies:\n    timeouts:\n      t: 5s\n    retries:\n      r:\n        policy: exponential\n        maxInterval: 15s\n        maxRetries: 3\n        matching:\n          httpStatusCodes: 500-599,429\n    circuitBreakers:\n      c:\n        maxRequests: 1\n        timeout: 30s\n        trip: consecutiveFailures >= 5\n  targets:\n    apps:\n      fuzzed:\n        timeout: t\n        retry: r\n        circuitBreaker: c\n",
        "apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata:\n  name: e\nspec:\n  baseUrl: http://localhost:1\n  headers:\n  - name: a\n    value: b\n",
    ];

    private static readonly string[] Words =
    [
        "null", "[]", "{}", "~", "!!binary x", "*a", "&a x", "- - -", "? x", "|", ">", "'", "\"", "%", "@", "`", "---", "...", "<<: *a", "0x1F", "1e999", "2026-01-01", "yes", new string('x', 5000), "\t", "\0", "${X}", "{uuid}", "{podName}", "dapr.io/v9",
        "component", "Component", "state.", "state.nosuch", "event.type ==", "has(", "[a, b", "{a: b", "!!python/object x", "\u2028", "é",
    ];

    // Lines are doubled, moved, taken away, or get another value or depth.
    private static readonly Gen<string> Yaml = Gen.Elements(Sound).SelectMany(s => Gen.Choose(1, 6).SelectMany(n => Gen.ArrayOf(Gen.Choose(0, 1000), n * 3).SelectMany(r => Gen.ArrayOf(Gen.Elements(Words), n).Select(w => Changed(s, n, r, w)))));

    [Fact]
    public async Task No_resource_makes_anything_but_a_sidecar_or_a_clear_refusal()
    {
        var folder = Directory.CreateTempSubdirectory("fuzzing-");
        var engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = Path.Combine(folder.FullName, "data") });
        try
        {
            foreach (var (first, second) in Inputs.Sample(Yaml.SelectMany(a => Yaml.Select(b => (a, b))), 500, 21))
                await LoadAsync(engine, folder.FullName, first, second);
            foreach (var hostile in Hostile())
                await LoadAsync(engine, folder.FullName, hostile, Sound[0]);
        }
        finally
        {
            await engine.DisposeAsync();
            folder.Delete(recursive: true);
        }
    }

    private static async Task LoadAsync(Engine engine, string folder, string first, string second)
    {
        var resources = Directory.CreateDirectory(Path.Combine(folder, "resources")).FullName;
        await File.WriteAllTextAsync(Path.Combine(resources, "a.yaml"), first);
        await File.WriteAllTextAsync(Path.Combine(resources, "b.yaml"), second);
        await using var runtime = new SidecarRuntime(engine, new SidecarOptions { AppId = "fuzzed", ResourcesPaths = [resources] }, NullLoggerFactory.Instance);
        try
        {
            await runtime.LoadAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
        }
        catch (Exception e) when (e is ResourceException or ComponentException)
        {
            Assert.NotEqual("", e.Message);
        }
        catch (Exception e)
        {
            Assert.Fail($"{e}\nfrom\n{first}\n---\n{second}");
        }
    }

    private static string Changed(string yaml, int changes, int[] random, string[] words)
    {
        var lines = yaml.Split('\n').ToList();
        for (var i = 0; i < changes && lines.Count > 0; i++)
        {
            var (what, at, to) = (random[i * 3] % 7, random[(i * 3) + 1] % lines.Count, random[(i * 3) + 2] % lines.Count);
            var line = lines[at];
            switch (what)
            {
                case 0:
                    lines.RemoveAt(at);
                    break;
                case 1:
                    lines.Insert(to, line);
                    break;
                case 2:
                    lines[at] = new string(' ', to) + line.TrimStart();
                    break;
                case 3 when line.Contains(':', StringComparison.Ordinal):
                    lines[at] = line[..(line.IndexOf(':', StringComparison.Ordinal) + 1)] + " " + words[i];
                    break;
                case 4:
                    lines[at] = line.Length == 0 ? words[i] : line.Insert(to % line.Length, words[i]);
                    break;
                case 5:
                    (lines[at], lines[to]) = (lines[to], lines[at]);
                    break;
                default:
                    lines[at] = line.Length == 0 ? line : line[..(to % line.Length)];
                    break;
            }
        }

        return string.Join('\n', lines);
    }

    private static string[] Hostile() =>
    [
        // References that would grow without end, nesting without end, a document without end.
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\ni: [*h,*h,*h,*h,*h,*h,*h,*h,*h]\n",
        "a: &a\n  b: *a\n",
        new string('[', 5_000),
        string.Concat(Enumerable.Range(0, 2_000).Select(i => new string(' ', i) + "a:\n")),
        string.Concat(Enumerable.Repeat("---\nkind: Component\n", 5_000)),
        "\uFEFFapiVersion: dapr.io/v1alpha1\r\nkind: Component\r\nmetadata:\r\n  name: x\r\nspec:\r\n  type: state.in-memory\r\n  version: v1\r\n",
    ];
}

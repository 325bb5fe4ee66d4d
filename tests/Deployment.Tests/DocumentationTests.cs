using System.Text.RegularExpressions;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Processes;
using DaprPlatform.Deployment.Tests.Monitoring;
using YamlDotNet.RepresentationModel;

namespace DaprPlatform.Deployment.Tests;

/// <summary>What the documents tell people to type can be typed.</summary>
public sealed partial class DocumentationTests
{
    // Programs of others; what they are told is looked at where the tests have them.
    private static readonly HashSet<string> OfOthers = ["curl", "docker", "dapr", "dotnet", "npm", "kubectl", "helm", "openssl", "pg_dump", "pg_restore", "cp", "rm", "cd"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Documents => [.. Directory.GetFiles(Support.At("docs"), "*.md").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task Every_command_is_one_that_there_is(string document)
    {
        var text = await File.ReadAllTextAsync(Support.At("docs", document), Cancel);
        foreach (var line in Blocks().Matches(text).SelectMany(m => m.Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries).SkipWhile(w => Assignment().IsMatch(w)).ToList();
            if (words[0] is "sh" or "node")
                Assert.True(File.Exists(Support.At(words[1].Split('/'))), $"{document}: {line}");
            else if (words[0] != "./platform")
                Assert.True(OfOthers.Contains(words[0]), $"{document}: {line}: {words[0]} is no program that a reader has been told of.");
            Assert.All(words.Where(w => RepositoryPath().IsMatch(w)), w => Assert.True(Path.Exists(Support.At(w.Split('/'))), $"{document}: {line}: there is no {w}"));
        }

        var syntax = await ToolRun.RunAsync("bash", ["-n", "-c", string.Join('\n', Blocks().Matches(text).Select(m => m.Groups[1].Value))], Support.Root, Cancel, limit: TimeSpan.FromMinutes(1));
        Assert.True(syntax.Succeeded, syntax.Output);
    }

    [Fact]
    public async Task Every_use_of_the_platform_command_names_subcommands_and_options_that_there_are()
    {
        var uses = Directory.GetFiles(Support.At("docs"), "*.md").SelectMany(f => Uses().Matches(File.ReadAllText(f))).Select(m => m.Groups[1].Value.Trim()).Distinct().ToList();
        Assert.NotEmpty(uses);
        var helps = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var use in uses)
        {
            var words = use.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var path = words.TakeWhile(w => Lower().IsMatch(w)).ToList();
            // The longest beginning that is a command; what follows are its arguments.
            string? help = null;
            for (; path.Count > 0; path.RemoveAt(path.Count - 1))
            {
                var key = string.Join(' ', path);
                if (!helps.TryGetValue(key, out var known))
                    helps[key] = known = (await HelpAsync(path)).Output;
                if (known.Contains($"platform {key} ", StringComparison.Ordinal) || known.Contains($"platform {key}\n", StringComparison.Ordinal))
                {
                    help = known;
                    break;
                }
            }

            Assert.True(help is not null, $"./platform {use}: there is no such command.");
            Assert.True(path.Count == words.TakeWhile(w => Lower().IsMatch(w)).Count() || help.Contains('<', StringComparison.Ordinal), $"./platform {use}: {path[^1]} takes no arguments.");
            Assert.All(words.Where(w => w.StartsWith('-')), option => Assert.True(Regex.IsMatch(help, $@"(?<![\w-]){Regex.Escape(option)}(?![\w-])"), $"./platform {use}: there is no option {option}.\n{help}"));
        }
    }

    [Fact]
    public void Every_alert_leads_to_a_section_that_says_what_to_do()
    {
        var anchors = Headings().Matches(File.ReadAllText(Support.At("docs", "operations.md"))).Select(m => m.Groups[1].Value.Trim().ToLowerInvariant().Replace(' ', '-')).ToHashSet();
        foreach (var rule in Query.Rules(Support.Root).Where(r => r.Alert is not null))
        {
            var runbook = Query.Text((YamlMappingNode)rule.Node["annotations"], "runbook")!;
            Assert.True(anchors.Contains(runbook[(runbook.IndexOf('#', StringComparison.Ordinal) + 1)..]), $"{rule.Alert}: {runbook} is no section.");
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Links_lead_somewhere(string document)
    {
        foreach (var target in Links().Matches(File.ReadAllText(Support.At("docs", document))).Select(m => m.Groups[1].Value).Where(t => !t.Contains("://", StringComparison.Ordinal)))
            Assert.True(Path.Exists(Path.GetFullPath(Path.Combine(Support.At("docs"), target.Split('#')[0]))), $"{document}: {target}");
    }

    [Theory]
    [InlineData("service.Dockerfile")]
    [InlineData("notifications.Dockerfile")]
    public void An_image_is_built_in_stages_runs_as_nobody_and_says_how_it_is(string file)
    {
        var lines = File.ReadAllLines(Support.At("images", file));
        var from = lines.Where(l => l.StartsWith("FROM ", StringComparison.Ordinal)).ToList();
        Assert.True(from.Count >= 2);
        Assert.All(from, f => Assert.Matches("^FROM [^ :]+:[0-9][^ ]*( AS [a-z]+)?$", f));
        var last = lines.SkipWhile(l => l != from[^1]).ToList();
        Assert.Contains("USER 10001:10001", last);
        Assert.Contains(last, l => l.StartsWith("HEALTHCHECK ", StringComparison.Ordinal));
        Assert.DoesNotContain(last, l => l.StartsWith("RUN ", StringComparison.Ordinal));
        // What the build of the package reads is there for it.
        if (file == "notifications.Dockerfile")
            Assert.All(Directory.GetDirectories(Support.At("services", "notifications")).Select(f => Path.GetFileName(f)).Where(f => f is not ("node_modules" or "dist")), f => Assert.Contains($"COPY services/notifications/{f} {f}", lines));
        else
            Assert.Contains(lines, l => l.Contains("ln -s \"$(basename /app/*.runtimeconfig.json .runtimeconfig.json)\" /app/service", StringComparison.Ordinal));
        foreach (var source in lines.Where(l => l.StartsWith("COPY ", StringComparison.Ordinal) && !l.Contains("--from", StringComparison.Ordinal)).SelectMany(l => l.Split(' ')[1..^1]))
            Assert.True(Path.Exists(Support.At(source.Split('/'))), $"{file}: there is no {source}");
    }

    private static Task<ToolResult> HelpAsync(IEnumerable<string> path) => ToolRun.RunAsync(Repository.DotnetHost,
        [Path.Combine(AppContext.BaseDirectory, "platform.dll"), .. path, "--help"], Support.Root, Cancel,
        new Dictionary<string, string> { [Repository.RootVariable] = Support.Root }, limit: TimeSpan.FromMinutes(2));

    [GeneratedRegex("```bash\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Blocks();

    [GeneratedRegex(@"(?<=^|`|\s)\./platform ([^`\n]+?)(?=`|\n)", RegexOptions.Multiline)]
    private static partial Regex Uses();

    [GeneratedRegex("^[a-z][a-z0-9-]*$")]
    private static partial Regex Lower();

    [GeneratedRegex("^[A-Z_]+=")]
    private static partial Regex Assignment();

    [GeneratedRegex(@"^(k8s|monitoring|loadtest|services|images|dapr\.yaml|DaprPlatform\.slnx)[\w./-]*$")]
    private static partial Regex RepositoryPath();

    [GeneratedRegex(@"^## (.+)$", RegexOptions.Multiline)]
    private static partial Regex Headings();

    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Links();
}

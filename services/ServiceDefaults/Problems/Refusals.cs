using Microsoft.AspNetCore.Http;

namespace DaprPlatform.ServiceDefaults.Problems;

/// <summary>The refusals that several services share.</summary>
public static class Refusals
{
    public static ProblemException NotFound(string code, string detail) => new(StatusCodes.Status404NotFound, code, "Not found", detail);

    public static ProblemException Conflict(string code, string detail) => new(StatusCodes.Status409Conflict, code, "Conflict", detail);

    public static ProblemException Unprocessable(string code, string detail) =>
        new(StatusCodes.Status422UnprocessableEntity, code, "The request cannot be carried out", detail);

    public static ProblemException Unauthorized(string code, string detail) => new(StatusCodes.Status401Unauthorized, code, "Not authenticated", detail);

    public static ProblemException Forbidden(string detail) => new(StatusCodes.Status403Forbidden, "forbidden", "Not allowed", detail);

    public static ProblemException EtagMismatch() =>
        new(StatusCodes.Status412PreconditionFailed, "etag-mismatch", "The version is out of date", "The resource changed since it was read; read it again.");

    public static ProblemException PreconditionRequired() =>
        new(StatusCodes.Status428PreconditionRequired, "precondition-required", "If-Match is required", "Send the ETag that was read in If-Match.");

    public static ProblemException Unavailable(string dependency, Exception? inner = null) =>
        new(StatusCodes.Status503ServiceUnavailable, "unavailable", "A dependency is unavailable", $"{dependency} cannot be reached; try again.", inner)
        {
            RetryAfterSeconds = 1,
        };

    public static ProblemException Validation(IReadOnlyDictionary<string, string[]> errors) =>
        new(StatusCodes.Status400BadRequest, "validation", "The request is invalid", "One or more fields are invalid.") { Errors = errors };

    public static ProblemException Validation(string field, string message) => Validation(new Dictionary<string, string[]> { [field] = [message] });
}

// Every object of options, templates and records in the guide, as it stands there. `guide.rs` reads them.

//// Basic Export
{
format: 'json',
includeMetadata: true,
includeBinaryData: false,
}

//// Basic Import
{
format: 'json',
validateSchema: true,
skipDuplicates: true,
batchSize: 100,
dryRun: false,
errorHandling: 'lenient',
}

//// REST export
{
"dataType": "contexts",
"options": {
"format": "json",
"includeMetadata": true,
"filters": {
"dateRange": {
"start": "2024-01-01T00:00:00Z",
"end": "2024-12-31T23:59:59Z"
}
}
}
}

//// REST import
{"format":"json","validateSchema":true}

//// JSON options
{
format: 'json',
includeMetadata: true,
includeBinaryData: false,
}

//// JSON record
{
"id": "context-123",
"title": "Sample Context",
"content": "Context content here",
"type": "general",
"tags": ["sample", "test"],
"createdAt": "2024-01-01T00:00:00Z",
"metadata": {
"importance": "medium",
"source": "api"
}
}

//// CSV options
{
format: 'csv',
includeMetadata: false, // Flattens complex objects
includeBinaryData: false,
}

//// XML options
{
format: 'xml',
includeMetadata: true,
includeBinaryData: false,
}

//// YAML options
{
format: 'yaml',
includeMetadata: true,
includeBinaryData: false,
}

//// Markdown options
{
format: 'markdown',
includeMetadata: true,
includeBinaryData: false,
}

//// Filtering and Selection
{
format: 'json',
includeMetadata: true,
includeBinaryData: false,
filters: {
// Date range filtering
dateRange: {
start: new Date('2024-01-01'),
end: new Date('2024-12-31'),
},
// Type filtering
types: ['general', 'analysis'],
// Tag filtering
tags: ['important', 'research'],
// Session filtering
sessionIds: ['session-1', 'session-2'],
// Importance filtering
importance: ['high', 'critical'],
},
}

//// Compression and Encryption
{
format: 'json',
includeMetadata: true,
includeBinaryData: true,
// Compression options
compression: 'gzip', // or 'brotli', 'none'
// Encryption options
encryption: {
enabled: true,
algorithm: 'aes-256-gcm',
key: 'your-encryption-key',
},
// Large file splitting
splitLargeFiles: {
enabled: true,
maxSizeBytes: 50 * 1024 * 1024, // 50MB chunks
},
}

//// Field Mapping and Transformation
{
format: 'csv',
validateSchema: true,
skipDuplicates: true,
batchSize: 100,
dryRun: false,
errorHandling: 'lenient',
// Field mapping for legacy data
mapping: {
fieldMappings: {
'legacy_title': 'title',
'legacy_body': 'content',
'legacy_category': 'type',
'legacy_keywords': 'tags',
},
transformations: [
{
field: 'title',
transformation: 'trim',
},
{
field: 'type',
transformation: 'lowercase',
},
{
field: 'tags',
transformation: 'custom',
customFunction: 'splitAndTrim',
},
],
},
}

//// Strict validation
{
format: 'json',
validateSchema: true,
skipDuplicates: true,
batchSize: 50,
dryRun: false,
errorHandling: 'strict', // Fails on first error
}

//// Lenient validation
{
format: 'json',
validateSchema: true,
skipDuplicates: true,
batchSize: 100,
dryRun: false,
errorHandling: 'lenient', // Collects errors, continues processing
}

//// Template
{
name: 'Standard Context Export',
description: 'Standard format for exporting contexts with metadata',
version: '1.0.0',
schema: {
type: 'context',
fields: [
{
name: 'id',
type: 'string',
required: true,
description: 'Unique context identifier',
},
{
name: 'title',
type: 'string',
required: true,
description: 'Context title',
},
{
name: 'content',
type: 'string',
required: true,
description: 'Context content',
},
{
name: 'tags',
type: 'array',
required: false,
description: 'Context tags',
},
],
},
transformation: {
mapping: {
'id': 'id',
'title': 'title',
'content': 'content',
'tags': 'tags',
},
computedFields: [
{
name: 'exportedAt',
expression: 'new Date()',
type: 'date',
},
],
},
}

//// Export endpoint
{
"dataType": "contexts|sessions|templates|all",
"options": {
"format": "json|csv|xml|yaml|markdown",
"includeMetadata": true,
"includeBinaryData": false,
"compression": "gzip|brotli|none",
"filters": {
"dateRange": {
"start": "2024-01-01T00:00:00Z",
"end": "2024-12-31T23:59:59Z"
},
"types": ["general", "analysis"],
"tags": ["important"],
"sessionIds": ["session-1"],
"importance": ["high"]
}
}
}

//// Import endpoint
{
"format": "json|csv|xml|yaml|markdown",
"validateSchema": true,
"skipDuplicates": true,
"batchSize": 100,
"dryRun": false,
"errorHandling": "strict|lenient|skip-errors"
}

//// Full export
{
format: 'json',
includeMetadata: true,
includeBinaryData: true,
compression: 'gzip',
encryption: {
enabled: true,
algorithm: 'aes-256-gcm',
key: process.env.MIGRATION_KEY,
},
}

//// Full import
{
format: 'json',
validateSchema: true,
skipDuplicates: false,
overwriteExisting: true,
batchSize: 50,
dryRun: false,
errorHandling: 'strict',
}

//// Incremental export
{
format: 'json',
includeMetadata: true,
includeBinaryData: false,
filters: {
dateRange: {
start: lastMigrationDate,
end: new Date(),
},
},
}

//// Incremental import
{
format: 'json',
validateSchema: true,
skipDuplicates: true, // Skip existing records
overwriteExisting: false,
batchSize: 100,
dryRun: false,
errorHandling: 'lenient',
}

//// Legacy import
{
format: 'csv',
validateSchema: true,
skipDuplicates: true,
batchSize: 25, // Smaller batches for legacy data
dryRun: false,
errorHandling: 'lenient',
mapping: {
fieldMappings: {
'old_id': 'id',
'old_name': 'title',
'old_description': 'content',
'old_type': 'type',
'old_created': 'createdAt',
},
transformations: [
{
field: 'createdAt',
transformation: 'custom',
customFunction: 'parseOldDateFormat',
},
{
field: 'type',
transformation: 'lowercase',
},
],
},
}

//// Validation
{ ...importOptions, dryRun: true }

//// Large datasets
{
format: 'json',
includeMetadata: false, // Reduce file size
includeBinaryData: false, // Skip binary data
compression: 'gzip', // Compress output
batchSize: 50, // Smaller batches for memory efficiency
filters: {
// Only export recent data
dateRange: {
start: new Date(Date.now() - 30 * 24 * 60 * 60 * 1000), // Last 30 days
end: new Date(),
},
},
}

//// Error handling
{
...options,
errorHandling: 'lenient',
}

//// Security
{
encryption: {
enabled: true,
algorithm: 'aes-256-gcm',
key: process.env.MIGRATION_ENCRYPTION_KEY,
},
validateSchema: true,
errorHandling: 'strict', // Fail on any security-related errors
}

//// Large files
{
batchSize: 25, // Smaller batches
splitLargeFiles: {
enabled: true,
maxSizeBytes: 10 * 1024 * 1024, // 10MB chunks
},
}

//// Slow imports
{
batchSize: 10, // Much smaller batches
validateSchema: false, // Skip validation if data is pre-validated
mapping: undefined, // Skip transformations if possible
}
